# style.gp: the look of every figure. 84 mm wide (one column), 8 pt text, no line under 0.5 pt, the colour-blind
# safe colours of gnuplot's podo; colour, mark and dash all differ, so that a grey print can be read. Margins, marks and
# the room for names grow with the text: `em` is 1 at 8 pt.
# Choose on the command line:  gnuplot -e "width_cm = 17.4" NAME.gp      (two columns)
#                              gnuplot -e "formats = 'tex'" NAME.gp      (LaTeX, by cairolatex; also pdf svg png)
if (!exists('width_cm')) width_cm = 8.4
if (!exists('font')) font = 'Liberation Sans'
if (!exists('font_pt')) font_pt = 8
if (!exists('line')) line = 1
if (!exists('key_width')) key_width = -1 # letters between names: gnuplot thinks that long ones are longer than they are
em = font_pt / 8.0
if (!exists('formats')) formats = 'pdf svg png'
set encoding utf8
set decimalsign '.'
set datafile separator ','
set datafile columnheaders # columns are read by their names
data = name.'.csv'

set border 3 linewidth 1
set tics nomirror out scale 0.6, 0.3
set grid xtics ytics linetype 1 linecolor rgb '#d8d8d8' linewidth 1
set lmargin at screen 1.5 * em / width_cm
set rmargin at screen 1 - 0.35 * em / width_cm
set bmargin at screen 1.05 * em / height_cm
set tmargin at screen 1 - (0.25 + 0.355 * key_rows) * em / height_cm
set key at screen 0.5, screen 1 - 0.08 * em / height_cm center top horizontal maxcols key_columns \
    Left reverse noenhanced samplen 2.5 spacing 1.0 width key_width
set xlabel x_label offset 0, 0.35
set ylabel y_label offset 0.2, 0
set logscale x 2
set xrange [x_min : x_max]

# Series s has a colour and dash (look) and a mark (shape), each 1 .. 12: 7 .. 12 are marks of before with other dashes; a raw MPI call has the colour of its
# primitive, fine dots and a smaller mark.
hue(s) = word('#0072B2 #D55E00 #009E73 #CC79A7 #E69F00 #000000 #56B4E9 #8C510A #542788 #7F7F7F #1B7837 #B2182B', look[s])
mark(s) = int(word('7 5 9 13 11 15 7 5 9 13 11 15', shape[s])) # the filled mark; one less is its hollow twin
dash(s) = raw[s] ? 3 : int(word('1 2 4 5 6 7 2 4 5 6 7 1', look[s]))
set dashtype 2 (9, 3)
set dashtype 3 (1, 2.5)
set dashtype 4 (9, 3, 2, 3)
set dashtype 5 (4, 2)
set dashtype 6 (9, 2, 2, 2, 2, 2)
set dashtype 7 (14, 3)
do for [s = 1 : series] {
    set style line s linecolor rgb hue(s) linewidth 2 dashtype dash(s) pointtype mark(s) \
        pointsize em * (raw[s] ? 0.48 : 0.58)
    set style line 50 + s linecolor rgb hue(s) linewidth 1.2 pointtype mark(s) - 1 pointsize em * (raw[s] ? 0.54 : 0.62)
}
set style line 100 linecolor rgb '#707070' linewidth 1.2 dashtype 7 # what theory says: ideal, equal
set style line 101 linecolor rgb '#707070' linewidth 1 dashtype 1 # lower bounds

# A row that is not of series s, or not of kind o (1: oversubscribed), or was not measured breaks the line:
# only neighbours that were both measured and not oversubscribed are joined.
place(s) = column(across) * 2**shift[s] # shift: marks that would cover each other stand side by side
only(s, o, value) = column('series') == s && column('oversubscribed') == o ? value : NaN
low(s, o) = only(s, o, column('lo') < column('hi') ? column('lo') / y_unit : NaN)
points = "for [s = 1 : series] data using (only(s, 0, place(s))):(column(up) / y_unit) with lines linestyle s notitle, \
    for [s = 1 : series] for [o = 0 : 1] data using (place(s)):(low(s, o)):(0):((column('hi') - column('lo')) / y_unit) \
        with vectors heads size screen 0.0504 * em / width_cm, 90 linecolor rgb hue(s) linewidth 1.2 notitle, \
    for [s = 1 : series] data using (only(s, 0, place(s))):(column(up) / y_unit) with points linestyle s notitle, \
    for [s = 1 : series] data using (only(s, 1, place(s))):(column(up) / y_unit) with points linestyle 50 + s notitle"
# The names: the series, what hollow means, then the raw calls (they are the last series). Underscores are
# protected for LaTeX.
plain(text) = strstrt(text, '_') ? text[1 : strstrt(text, '_') - 1].'\_'.plain(text[strstrt(text, '_') + 1 : *]) : text
ours = sum [s = 1 : series] (raw[s] ? 0 : 1)
names_of(from, to) = sprintf("for [s = %d : %d] keyentry with linespoints linestyle s ", from, to). \
    "title (format eq 'tex' ? plain(label[s]) : label[s])"
names = ours > 0 ? names_of(1, ours) : ''
if (hollow) names = names.(ours > 0 ? ', ' : '')."keyentry with points pointtype 6 pointsize 0.62 * em linewidth 1.2 \
    linecolor rgb '#707070' title 'oversubscribed'"
if (ours < series) names = names.(ours > 0 || hollow ? ', ' : '').names_of(ours + 1, series)
# Lower bounds are thin lines without marks, in the colour of their series; a raw call has its primitive's,
# and a bound that several series have is drawn once.
lower = bounds ? "for [s = 1 : series] data using (!bounded[s] ? NaN : only(s, 0, place(s))):(column('bound_us') / y_unit) \
        with lines linestyle 101 linecolor rgb hue(s) notitle, \
    keyentry with lines linestyle 101 title 'bound', " : ''
