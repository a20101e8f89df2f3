# phases.gp: how does the time of a run divide? A bar for each rank count, the phases one upon another: colour and pattern
# both differ, so that a grey print can be read.
set yrange [0 : y_max]
set xtics scale 0
set grid noxtics
step(phase) = column(phase.'_us') / y_unit
top(phases) = phases > 0 ? top(phases - 1) + step(word('kernel pack communication wait', phases)) : 0
fill(phase) = word('#0072B2 #009E73 #E69F00 #FFFFFF', phase)
pattern(phase) = word('3 2 4 0', phase)
bars = "for [phase = 1 : 4] data using (column('ranks')):(top(phase)):(column('ranks') * 2**(-bar)):(column('ranks') * 2**bar):\
(top(phase - 1)):(top(phase)) with boxxyerror linecolor rgb fill(phase) linewidth 1 \
    fillstyle pattern int(pattern(phase)) border linecolor rgb '#000000' title word('kernel pack communication wait', phase)"
shared = ", data using (column('oversubscribed') == 1 ? column('ranks') : NaN):(top(4) + 0.04 * y_max) \
    with points pointtype 6 pointsize 0.62 * em linewidth 1.2 linecolor rgb '#707070' notitle, \
    keyentry with points pointtype 6 pointsize 0.62 * em linewidth 1.2 linecolor rgb '#707070' title 'oversubscribed'"
figure = "plot ".bars.(hollow ? shared : '')
