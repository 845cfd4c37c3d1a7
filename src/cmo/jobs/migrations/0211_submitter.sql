-- Who submitted, for shares and predictions: a person has many keys, since every browser session is one. With a user it is the user,
-- else the key that sessions were begun with, else the key.
create function cmo_submitter(key_id text) returns text stable language sql as $$
  select coalesce((select coalesce(user_id, made_by) from cmo_api_keys where id = key_id), key_id)
$$;
revoke execute on function cmo_submitter from public;
grant execute on function cmo_submitter to solyx_app, solyx_system;
