# training.gp: the curves of a training. quantity = loss (against the step: each step, and the mean of each epoch) or
# test_accuracy_percent (against the epoch).
unset logscale x
set xtics autofreq
set xrange [0 : x_max]
set yrange [y_min : y_max]
curve(s) = sprintf("data using (column('series') == %d ? column('%s') : NaN):(column(quantity))", s, across)
across = quantity eq 'loss' ? 'step' : 'epoch'
figure = quantity eq 'loss' ? \
    "plot ".curve(1)." with lines linecolor rgb '#9ecae1' linewidth 0.6 title label[1], ".curve(2)." with linespoints linestyle 2 title label[2]" : \
    "plot ".curve(1)." with linespoints linestyle 1 title label[1]"
