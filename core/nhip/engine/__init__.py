"""Pure decisions: functions of their arguments, with no clock, session, randomness or logging inside."""
