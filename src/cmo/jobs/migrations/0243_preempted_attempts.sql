-- How many attempts were ended for other jobs lately: what a scheduler that starts has to know of the hour before it.
create index cmo_attempts_preempted on cmo_attempts (ended_at) where outcome = 'preempted';
