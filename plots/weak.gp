# weak.gp: weak scaling, the work of a rank constant. Ideal: the time of the base case at every rank count.
set logscale y
set yrange [y_min : y_max]
across = 'ranks'
up = 'time_us'
theory = "for [s = 1 : series] data using (column('series') == s ? column(across) : NaN):(column('ideal_us') / y_unit) \
        with lines linestyle 100 linecolor rgb hue(s) notitle, \
    keyentry with lines linestyle 100 title 'ideal', "
figure = "plot ".(ideals ? theory : '').lower.points.", ".names
