/**
 * The line of a shell script that says on a descriptor that the job's command is the next thing to run, and since when: on a busy machine
 * the supervisor may read it seconds later, and who is billed from then would be billed too little.
 *
 * The variable is named so that it is nobody's else: a job's own, which the shell may hold already, must reach the job unchanged.
 */
export const sayReady = (target: string): string =>
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a shell's parameter expansion
  '{ read -r _solyx_since _solyx_idle < /proc/uptime; } 2>/dev/null; echo "solyx:ready${_solyx_since:+ $_solyx_since}" ' +
  target;
