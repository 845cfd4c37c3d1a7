/** Whether what the page shows is live: the words of the mark in the top bar. */
export type LiveState =
  /** Not asked to connect. */
  | 'off'
  | 'connecting'
  /** Everything subscribed is up to date. */
  | 'live'
  /** The connection is gone and being made again; what is shown is as of `since`. */
  | 'reconnecting'
  /** The server refuses us: signed out, or without the right. Nothing is tried any more. */
  | 'refused';

export interface LiveStatus {
  readonly state: LiveState;
  /** Since when, ms since 1970. While not live: until when what is shown was up to date. */
  readonly since: number;
  /** When the next try begins, ms since 1970; null when one is running or none comes. */
  readonly nextTryAt: number | null;
  /** Why the last try failed, for people. */
  readonly why: string | null;
}
