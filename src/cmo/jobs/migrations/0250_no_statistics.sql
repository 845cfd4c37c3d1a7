-- Nothing is planned by what stands inside documents, and looking at thousands of them was most of what ANALYZE cost.
alter table cmo_jobs alter column spec set statistics 0, alter column pending_detail set statistics 0;
alter table cmo_attempts alter column explanation set statistics 0;
