"""Pure decisions: functions of their arguments, with no clock, session, randomness or logging inside.

Each folder knows only those below it, which a contract of the imports holds::

    desk    journeys    incoming   who gets something; what comes next in a run; what may come in
    definitions    customers       the language of workflows; what snapshots and scores come to
    matching    times              which workflows an event concerns; when waits end and schedules tick
    conditions                     what has to hold
    facts                          what is read to decide it
"""
