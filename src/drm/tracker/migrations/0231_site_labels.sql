-- Labels of a site, which jobs ask for as labels `site/…` of its nodes.

alter table drm_sites add column labels jsonb not null default '{}' check (jsonb_typeof(labels) = 'object');
