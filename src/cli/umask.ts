/**
 * Two umasks: what this program writes for itself is its user's alone; what it copies for its user gets the modes that the
 * user's shell would give.
 */
let ofShell: number | undefined;

/** Makes what is written from here on this user's alone, and readable by it, whatever umask the shell had. */
export function closeUmask(): void {
  ofShell = process.umask(0o077);
}

/** The shell's umask, but the user's own bits, without which nothing could be worked on: 0 to 0o077. */
export function umaskOfShell(): number {
  return (ofShell ?? process.umask()) & 0o077;
}

/** Does something as the shell would have it, and closes again. Nothing else may write meanwhile. */
export async function withUmaskOfShell<T>(work: () => Promise<T>): Promise<T> {
  const before = process.umask(umaskOfShell());
  try {
    return await work();
  } finally {
    process.umask(before);
  }
}
