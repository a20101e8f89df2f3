# compare.gp: time of a run over the time of the run that it is compared with; above 1 it is slower. The grey band is
# what counts as the same.
set logscale y
set yrange [y_min : y_max]
across = x_label eq 'ranks' ? 'ranks' : 'size_bytes'
up = 'ratio'
set object 1 rectangle from graph 0, first 1 / (1 + band) to graph 1, first 1 + band behind \
    fillcolor rgb '#e4e4e4' fillstyle solid noborder
figure = "plot 1 with lines linestyle 100 title 'equal', ".points.", ".names
