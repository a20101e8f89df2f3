# adjoint.gp: time of the adjoint (of a layer: of backward) over the time of forward. The line stands at 1: equal.
set logscale y
set yrange [y_min : y_max]
across = 'ranks'
up = 'ratio'
figure = "plot 1 with lines linestyle 100 title 'equal', ".points.", ".names
