# size_bandwidth.gp: rate against the bytes of the tensor. quantity = busbw_GBps (largest unavoidable bytes of one
# rank per time) or algbw_GBps (bytes of the tensor per time).
set logscale y
set yrange [y_min : y_max]
across = 'size_bytes'
up = quantity
figure = "plot ".points.", ".names
