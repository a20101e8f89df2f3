# write.gp: draws the figure into NAME.pdf, NAME.svg and NAME.png. Each terminal has its own units of size.
do for [format in formats] {
    if (format eq 'pdf') {
        eval sprintf("set terminal pdfcairo size %.2fcm,%.2fcm font 'Liberation Sans,8' fontscale 0.75 linewidth 1.1", \
            width_cm, height_cm)
    }
    if (format eq 'svg') {
        eval sprintf("set terminal svg size %.0f,%.0f font 'Liberation Sans,8' fontscale 1.3333 linewidth 0.75", \
            width_cm / 2.54 * 96, height_cm / 2.54 * 96)
    }
    if (format eq 'png') {
        eval sprintf("set terminal pngcairo size %.0f,%.0f font 'Liberation Sans,8' fontscale 3.125 linewidth 2.3 pointscale 3.5", \
            width_cm / 2.54 * 300, height_cm / 2.54 * 300)
    }
    if (format eq 'tex') {
        eval sprintf("set terminal cairolatex pdf size %.2fcm,%.2fcm fontscale 0.75 linewidth 1.1", width_cm, height_cm)
    }
    set output format eq 'tex' ? name.'_latex.tex' : name.'.'.format
    eval figure
    unset output
}
