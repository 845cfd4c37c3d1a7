/** Exit codes of the `solyx` command; scripts rely on them, docs/user/cli.md lists them. */
export const exitCodes = {
  ok: { code: 0, meaning: 'Done; with `--wait` or `--follow` the job succeeded.' },
  failed: { code: 1, meaning: 'The request was refused or went wrong; the message says why.' },
  usage: { code: 2, meaning: 'The command line, the spec or the configuration is not valid.' },
  unreachable: { code: 3, meaning: 'No server or no database answers.' },
  jobFailed: { code: 4, meaning: 'The job that was waited for failed; of an array, at least one task.' },
  jobCancelled: { code: 5, meaning: 'The job that was waited for was cancelled.' },
  sessionLost: {
    code: 255,
    meaning: 'exec, shell: the connection ended before the command did; else they end with the code of the command.',
  },
  interrupted: { code: 130, meaning: 'Interrupted with Ctrl-C while waiting; the job goes on.' },
} as const;
