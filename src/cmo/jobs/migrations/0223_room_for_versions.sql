-- Of a job's versions some change nothing that an index holds (a reason to wait, a revision): with room on the page they write only the row.
alter table cmo_jobs set (fillfactor = 80);
