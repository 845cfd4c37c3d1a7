-- Which blobs ranks kept, and which logs were removed for their age.

create index metapod_artifacts_by_manifest on metapod_artifacts (tenant, manifest_hash);

create view metapod_blob_uses with (security_invoker = true) as
  select f.tenant, f.manifest_hash as hash, true as manifest, a.ended_at
  from metapod_artifacts f join cmo_attempts a on a.tenant = f.tenant and a.id = f.attempt_id;

-- When the lines were deleted; the counts of what was there stay.
alter table metapod_log_streams add column removed_at timestamptz;
create index metapod_log_streams_kept on metapod_log_streams (attempt_id, rank) where removed_at is null;
