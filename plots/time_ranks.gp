# time_ranks.gp: how long does a primitive take on P ranks, beside the raw MPI call and the lower bound?
set logscale y
set yrange [y_min : y_max]
across = 'ranks'
up = 'time_us'
lower = "for [s = 1 : series] data using (only(s, 0, place(s))):(column('bound_us') / y_unit) \
        with lines linestyle 100 linecolor rgb hue(s) notitle, \
    keyentry with lines linestyle 100 title 'bound', "
figure = "plot ".(bounds ? lower : '').points.", ".names
