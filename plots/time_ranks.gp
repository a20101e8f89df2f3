# time_ranks.gp: how long does a primitive take on P ranks, beside the raw MPI call and the lower bound?
set logscale y
set yrange [y_min : y_max]
across = 'ranks'
up = 'time_us'
figure = "plot ".lower.points.", ".names
