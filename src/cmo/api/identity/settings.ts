/** What signing in is set to by the configuration. */
export interface IdentitySettings {
  readonly sessions: {
    /** A session ends after so long whatever happens, seconds > 0. */
    readonly lastSeconds: number;
    /** A session ends after so long without a request, seconds > 0. */
    readonly idleSeconds: number;
  };
}
