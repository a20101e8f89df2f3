# heat.gp: which two ranks are slow with each other? A square for each pair: its time over the median of its kind (within
# a machine, between two), light where it is as it should be, dark where it is slow, also in a grey print.
unset logscale
unset key
set border 15 linewidth 1
set grid noxtics noytics
set rmargin at screen 1 - 1.75 * em / width_cm
set xrange [-0.5 : ranks - 0.5]
set yrange [ranks - 0.5 : -0.5]
set xtics 0, every
set ytics 0, every
set cbrange [1 : most]
set cblabel 'time / median' offset 0.4, 0
set colorbox user origin screen 1 - 1.55 * em / width_cm, graph 0 size screen 0.3 * em / width_cm, graph 1
set palette defined (0 '#f0f0f0', 0.3 '#56B4E9', 0.65 '#0072B2', 1 '#000000')
set style fill solid 1 noborder
square = "(0.5):(0.5):(column('ratio')) with boxxyerror linecolor palette notitle"
figure = "plot data using (column('a')):(column('b')):".square.", data using (column('b')):(column('a')):".square
