/**
 * The one table of error codes: what the API, the CLI and the agent may answer, with HTTP status and remedy.
 *
 * Everything that leaves a process as an error comes from here, so that docs, clients and tests agree on the words;
 * `docs/api/errors.md` is generated from this table and a test holds the two together.
 */
export interface ErrorCode {
  /** HTTP status, 400..599. */
  readonly status: number;
  /** One sentence: what is wrong. Details of the case come in `detail`. */
  readonly title: string;
  /** One sentence: what would be right. */
  readonly remedy: string;
}

export const errorCodes = {
  // Requests
  bad_request: { status: 400, title: 'The request cannot be understood.', remedy: 'Compare it with /openapi.json.' },
  invalid_body: {
    status: 422,
    title: 'The body does not match its schema.',
    remedy: 'Mend the fields named in `issues`.',
  },
  invalid_query: {
    status: 422,
    title: 'A query parameter does not match its schema.',
    remedy: 'Mend the parameters named in `issues`.',
  },
  invalid_yaml: {
    status: 422,
    title: 'The YAML cannot be parsed.',
    remedy: 'Mend the line and column named in `detail`.',
  },
  body_too_large: {
    status: 413,
    title: 'The body is larger than this server takes.',
    remedy: 'Send less: specs up to 1 MiB; put files into the working directory bundle.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The content type is not supported.',
    remedy: 'Send application/json, application/yaml, or application/octet-stream where bytes are expected.',
  },
  route_not_found: {
    status: 404,
    title: 'There is no such route.',
    remedy: 'See /openapi.json for the routes of this server.',
  },
  method_not_allowed: {
    status: 405,
    title: 'The route does not take this method.',
    remedy: 'See /openapi.json for the methods of this route.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests.',
    remedy: 'Wait for the seconds named in Retry-After, then send again.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'This Idempotency-Key was used for another body.',
    remedy: 'Use a new key for a new request; repeat a request with the body it had.',
  },
  cursor_invalid: {
    status: 422,
    title: 'The cursor was not made by this list.',
    remedy: 'Start again without a cursor.',
  },

  // Access
  unauthenticated: {
    status: 401,
    title: 'No valid API key was sent.',
    remedy: 'Send `Authorization: Bearer <key>`; on this machine the CLI reads it from the data directory.',
  },
  key_revoked: {
    status: 401,
    title: 'This API key or token was revoked.',
    remedy: 'Ask an admin for a new one (`solyx keys create`).',
  },
  session_ended: {
    status: 401,
    title: 'This browser session has ended.',
    remedy: 'Sign in again.',
  },
  link_invalid: {
    status: 410,
    title: 'This link was used, has expired or was withdrawn.',
    remedy: 'Ask for a new one; each works once.',
  },
  last_admin: {
    status: 409,
    title: 'Nobody could administer this tenant any more.',
    remedy: 'Give somebody else the role admin first.',
  },
  mail_unavailable: {
    status: 409,
    title: 'This server sends no e-mail.',
    remedy: 'Set mail.host, mail.from and server.publicUrl, or hand the link over yourself.',
  },
  oidc_unavailable: {
    status: 503,
    title: 'The OpenID provider does not answer as it should.',
    remedy: 'Sign in by an API key or a link meanwhile; an operator checks oidc.issuer and the provider.',
  },
  sign_in_expired: {
    status: 410,
    title: 'This sign-in took too long, was used, or was begun in another browser.',
    remedy: 'Begin again on the sign-in page.',
  },
  sign_in_invalid: {
    status: 401,
    title: 'What the OpenID provider sent back does not fit this sign-in.',
    remedy: 'Begin again on the sign-in page; if it persists, an operator reads the log of the server.',
  },
  sign_in_refused: {
    status: 403,
    title: 'The OpenID provider knows you, but nobody here lets you in.',
    remedy: 'Ask an admin for an invitation to the address that the provider knows you by.',
  },
  cross_origin: {
    status: 403,
    title: 'A browser sent this from a page that is not this server’s own.',
    remedy: 'Use the console at the address that the server is known by, or an API key; see `server.publicUrl`.',
  },
  forbidden: {
    status: 403,
    title: 'Your role does not allow this.',
    remedy: 'Ask an admin for the role named in `detail`.',
  },
  not_found: {
    status: 404,
    title: 'There is no such thing, or it is not yours.',
    remedy: 'Check the id and the tenant of your key.',
  },
  conflict: {
    status: 409,
    title: 'The thing is not in a state that allows this.',
    remedy: 'Read it again and decide on its present state.',
  },
  already_exists: {
    status: 409,
    title: 'A thing of this name already exists.',
    remedy: 'Choose another name, or use what exists.',
  },

  // Jobs
  job_spec_invalid: {
    status: 422,
    title: 'The job spec is not valid.',
    remedy: 'Mend the fields named in `issues`; docs/user/job-spec.md lists every field.',
  },
  job_feature_unsupported: {
    status: 422,
    title: 'The job spec asks for something that no part of this release honours yet.',
    remedy: 'Remove the field named in `issues`; it is refused rather than ignored.',
  },
  job_impossible: {
    status: 422,
    title: 'The resources asked for contradict themselves or exceed what a spec may ask.',
    remedy: 'Change the fields named in `issues`.',
  },
  job_final: {
    status: 409,
    title: 'The job has ended; final states never change.',
    remedy: 'Submit a new job.',
  },
  job_cancelling: {
    status: 409,
    title: 'The job is being cancelled.',
    remedy: 'Submit a new job.',
  },
  job_not_suspended: {
    status: 409,
    title: 'The job is not suspended yet.',
    remedy: 'Wait until its state is `suspended`, then resume it.',
  },
  quota_invalid: {
    status: 422,
    title: 'The quota makes no sense.',
    remedy: 'Mend what `detail` names: see docs/user/quotas.md.',
  },
  reservation_invalid: {
    status: 422,
    title: 'The reservation makes no sense.',
    remedy: 'Mend what `detail` names: see docs/user/reservations.md.',
  },
  reservation_conflict: {
    status: 409,
    title: 'Not enough nodes are free for that time.',
    remedy: 'Choose another time, fewer nodes or other labels; `solyx reservations` shows yours.',
  },
  bundle_missing: {
    status: 422,
    title: 'The working directory bundle was not uploaded.',
    remedy: 'Upload it with PUT /v1/blobs/{hash} first; `solyx submit` does it for you.',
  },
  secret_missing: {
    status: 422,
    title: 'A secret that the job asks for does not exist.',
    remedy: 'Set it with `solyx secrets set`, for the tenant or for the project of the job.',
  },
  blob_hash_mismatch: {
    status: 422,
    title: 'The bytes do not have the hash they were sent under.',
    remedy: 'Send them again; if it persists, check the disk and the network between.',
  },
  manifest_invalid: {
    status: 422,
    title: 'The manifest of a checkpoint or of artefacts is not valid.',
    remedy: 'Write at most 20,000 regular files with relative paths; links and devices are not kept.',
  },
  stale_token: {
    status: 409,
    title: 'A newer attempt exists; writes of this one are refused.',
    remedy: 'Nothing to do: the newer attempt decides the outcome.',
  },

  // Channels into running jobs
  job_not_running: {
    status: 409,
    title: 'No running part of the job can be entered.',
    remedy: 'Wait until it runs (`solyx job <id>`); of a job that has ended, read the log and the artefacts.',
  },
  node_unreachable: {
    status: 503,
    title: 'The node of the job cannot be reached now.',
    remedy: 'Try again in a moment; `solyx nodes` shows whether it is connected. The job goes on meanwhile.',
  },
  node_too_old: {
    status: 409,
    title: 'The agent of the node is too old for this.',
    remedy: 'Upgrade the agent of that node; its jobs go on meanwhile.',
  },
  terminal_unavailable: {
    status: 409,
    title: 'The node cannot make terminals.',
    remedy:
      'Run the command without a terminal (without -t), or install the optional package @lydell/node-pty on the node.',
  },
  exec_failed: {
    status: 422,
    title: 'The command could not be started in the job.',
    remedy: 'Mend what `detail` names; programs are looked for in the job, not on your machine.',
  },
  channel_timeout: {
    status: 408,
    title: 'The connection into the job was idle or open for too long.',
    remedy: 'Open it again; the job goes on.',
  },
  channel_lost: {
    status: 502,
    title: 'The connection into the job broke off.',
    remedy: 'Open it again; the job goes on, and what you started there may have ended.',
  },
  path_not_found: {
    status: 404,
    title: 'There is no such path in the job.',
    remedy: 'Look with `solyx exec <id> -- ls -la`; relative paths begin at the working directory of the job.',
  },
  copy_refused: {
    status: 422,
    title: 'The copy was refused.',
    remedy: 'Mend what `detail` names; nothing was changed at the target.',
  },

  // Capacity and nodes
  node_in_use: {
    status: 409,
    title: 'The node still holds allocations.',
    remedy: 'Drain it first, or say that it is powered off.',
  },
  protocol_unsupported: {
    status: 400,
    title: 'Agent and server speak no common protocol version.',
    remedy: 'Upgrade the older of the two; the server speaks its version and the one before.',
  },
  join_token_used: {
    status: 401,
    title: 'The join token is unknown, expired or used up.',
    remedy: 'Make a new one with `solyx keys create --kind join`.',
  },

  // The machine and the installation
  simulation_invalid: {
    status: 422,
    title: 'The simulation cannot be run on these files.',
    remedy: 'Mend what is named in `detail` and `issues`; docs/user/simulate.md shows each file.',
  },
  config_invalid: {
    status: 500,
    title: 'The configuration is not valid.',
    remedy: 'Mend the keys named in `issues`; `solyx config check` tests it.',
  },
  secrets_key_missing: {
    status: 503,
    title: 'The key that opens the secret store cannot be read.',
    remedy: 'Bring back the file named in `detail` (`secrets.keyFile`); every server of a database needs the same one.',
  },
  home_in_use: {
    status: 500,
    title: 'Another Solyx server runs on this data directory.',
    remedy: 'Use it, stop it with `solyx down`, or set SOLYX_HOME to another directory.',
  },
  port_in_use: {
    status: 500,
    title: 'The port is taken.',
    remedy: 'Choose another with --port N; 0 takes a free one.',
  },
  server_unreachable: {
    status: 503,
    title: 'No Solyx server answers.',
    remedy: 'Start one with `npm start`, or set SOLYX_URL and SOLYX_API_KEY.',
  },
  disk_full: {
    status: 507,
    title: 'The disk is full.',
    remedy: 'Free space on the data directory; work goes on by itself afterwards.',
  },
  file_unwritable: {
    status: 422,
    title: 'The file cannot be written there.',
    remedy: 'Name a file that does not exist yet, in a folder that exists and that this user may write to.',
  },
  file_denied: {
    status: 500,
    title: 'The operating system does not let this user have a file.',
    remedy:
      'Be the user whom the file in `detail` belongs to, mend its mode, or set SOLYX_HOME to a data directory of yours.',
  },
  database_unavailable: {
    status: 503,
    title: 'The database does not answer.',
    remedy: 'Wait, then send again with the same Idempotency-Key; if it stays away, read the log of the server.',
  },
  database_engine_missing: {
    status: 500,
    title: 'The embedded PostgreSQL is not installed for this platform.',
    remedy: 'Run `npm ci` on Linux or macOS (x64, arm64), or set SOLYX_DATABASE_URL.',
  },
  database_start_failed: {
    status: 500,
    title: 'The embedded PostgreSQL did not start.',
    remedy: 'Read the log file named in `detail`.',
  },
  database_roles_missing: {
    status: 500,
    title: 'The login of SOLYX_DATABASE_URL may not create what Solyx needs.',
    remedy: 'Run `solyx db init` with a login that may, or have the statements in `detail` run by whoever may.',
  },
  database_timeout: {
    status: 503,
    title: 'A statement took longer than the database allows.',
    remedy: 'Send again with the same Idempotency-Key; if it persists, narrow the request.',
  },
  database_version_unsupported: {
    status: 500,
    title: 'The PostgreSQL version is not supported.',
    remedy: 'Use PostgreSQL 16 or later; move an embedded database with `solyx backup` and `solyx restore`.',
  },
  backup_damaged: {
    status: 422,
    title: 'The file is no whole backup of Solyx.',
    remedy: 'Take another copy of it, or an older backup; nothing was changed.',
  },
  backup_newer: {
    status: 409,
    title: 'The backup was made by a newer release.',
    remedy: 'Restore it with that release or a later one.',
  },
  restore_target_not_empty: {
    status: 409,
    title: 'There is a database with content already.',
    remedy: 'Restore into another data directory, or say --replace to give up what is there.',
  },
  database_newer: {
    status: 500,
    title: 'The database was migrated by a newer release.',
    remedy: 'Run that release or a later one.',
  },
  migration_invalid: {
    status: 500,
    title: 'A migration file is not named as it must be, or its number is taken.',
    remedy: 'Name it NNNN_words.sql with a number that no other component uses.',
  },
  migration_changed: {
    status: 500,
    title: 'A migration that was applied has been changed.',
    remedy: 'Restore the file; add a new migration instead.',
  },
  not_ready: {
    status: 503,
    title: 'The server is starting or stopping.',
    remedy: 'Send again in a moment.',
  },
  internal: {
    status: 500,
    title: 'Something broke inside Solyx.',
    remedy: 'Read the server log at the request id; report it with the support bundle.',
  },
} as const satisfies Record<string, ErrorCode>;

export type Code = keyof typeof errorCodes;
