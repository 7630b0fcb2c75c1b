"""What can be said of attackers that nobody ran, and what an audit of these rows could have missed.

A bound on every attacker for what has few values (`finite_outputs`); forecasts for attackers with
more labels (`label_forecast`) or that take classes for Gaussian (`moments`); the smallest leak that
these rows show (`power`); an estimate, no bound, of what the best attacker reads (`bayes_error`).
`certify` makes all of them.
"""
