# layer_strong.gp: strong scaling of a layer. quantity = time_us (log-log), speedup (ideal: S = P) or efficiency
# (ideal: 1). A small star stands over points above the ideal (superlinear); they are kept.
across = 'ranks'
up = quantity
if (quantity eq 'efficiency') {
    set yrange [0 : y_max]
    set ytics 0.2
} else {
    set logscale y
    set yrange [y_min : y_max]
}
theory = quantity eq 'speedup' ? "x with lines linestyle 100 title 'ideal', " : \
         quantity eq 'efficiency' ? "1 with lines linestyle 100 title 'ideal', " : ''
starred = ", data using (column('superlinear') == 1 ? column(across) : NaN):(column(up)):('*') \
    with labels offset 0, 0.5 notitle"
figure = "plot ".(quantity eq 'time_us' ? lower : '').theory.points.(stars ? starred : '').", ".names
