-- Which blobs jobs use: their bundle, an image that was uploaded, and their newest checkpoint. `ended_at` is null while the job may still run.

create index cmo_jobs_by_bundle on cmo_jobs (tenant, (spec #>> '{workingDirectory,bundle}'))
  where spec #>> '{workingDirectory,bundle}' is not null;
create index cmo_jobs_by_image on cmo_jobs (tenant, substring(spec ->> 'image' from '^oci-archive:sha256:([0-9a-f]{64})$'))
  where substring(spec ->> 'image' from '^oci-archive:sha256:([0-9a-f]{64})$') is not null;
create index cmo_jobs_by_checkpoint on cmo_jobs (tenant, checkpoint_hash) where checkpoint_hash is not null;

create view cmo_blob_uses with (security_invoker = true) as
  select tenant, spec #>> '{workingDirectory,bundle}' as hash, false as manifest, ended_at
  from cmo_jobs where spec #>> '{workingDirectory,bundle}' is not null
  union all
  select tenant, substring(spec ->> 'image' from '^oci-archive:sha256:([0-9a-f]{64})$'), false, ended_at
  from cmo_jobs where substring(spec ->> 'image' from '^oci-archive:sha256:([0-9a-f]{64})$') is not null
  union all
  select tenant, checkpoint_hash, true, ended_at from cmo_jobs where checkpoint_hash is not null;
