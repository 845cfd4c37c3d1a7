-- Ids grow with time as well as `at` does: old events are found from the lower end of the primary key.
drop index feed_events_at;
