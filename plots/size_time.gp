# size_time.gp: time against the bytes of the tensor, on a fixed number of ranks, and the lower bound.
set logscale y
set yrange [y_min : y_max]
across = 'size_bytes'
up = 'time_us'
figure = "plot ".lower.points.", ".names
