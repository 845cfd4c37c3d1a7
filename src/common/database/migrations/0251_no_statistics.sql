-- Nothing is planned by what stands inside the data of events.
alter table feed_events alter column data set statistics 0;
