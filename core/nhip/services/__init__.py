"""Load, decide, store, ring: each service in that order, over one open unit.

Each folder knows only those below it, which a contract of the imports holds::

    doors    history          what knocks from outside; what people look at
    execution   workflows     steps are performed; workflows are written and published
    scans                     what time sets off
    channels   desk           accounts, templates and receipts; the work of people
    customers                 contacts, segments, scores
    events                    the way of an event into the engine
    runs                      how a run starts and goes on
    workspace                 keys, words and closed days
"""
