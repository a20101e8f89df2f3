# write.gp: draws the figure into NAME.pdf, NAME.svg and NAME.png. Each terminal has its own units of size.
do for [format in formats] {
    if (format eq 'pdf') {
        eval sprintf("set terminal pdfcairo size %.2fcm,%.2fcm font '%s,%g' fontscale 0.75 linewidth %g", \
            width_cm, height_cm, font, font_pt, 1.1 * line)
    }
    if (format eq 'svg') {
        eval sprintf("set terminal svg size %.0f,%.0f font '%s,%g' fontscale 1.3333 linewidth %g", \
            width_cm / 2.54 * 96, height_cm / 2.54 * 96, font, font_pt, 0.75 * line)
    }
    if (format eq 'png') {
        eval sprintf("set terminal pngcairo size %.0f,%.0f font '%s,%g' fontscale 3.125 linewidth %g pointscale 3.5", \
            width_cm / 2.54 * 300, height_cm / 2.54 * 300, font, font_pt, 2.3 * line)
    }
    if (format eq 'tex') {
        eval sprintf("set terminal cairolatex pdf size %.2fcm,%.2fcm font ',%g' fontscale 0.75 linewidth %g", \
            width_cm, height_cm, font_pt, 1.1 * line)
    }
    set output format eq 'tex' ? name.'_latex.tex' : name.'.'.format
    eval figure
    unset output
}
