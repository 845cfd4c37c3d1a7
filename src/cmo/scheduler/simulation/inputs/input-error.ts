/** A file of a simulation that cannot be meant so: where, what is wrong, and what would be right. */
export interface InputIssue {
  /** Keys and indices on the way to the field; empty for the file as a whole. */
  readonly keys: readonly PropertyKey[];
  /** The same as people write it, like `sites[0].nodes[1].count`. */
  readonly at: string;
  readonly message: string;
}

/** What is wrong at the end of these keys. */
export const issueAt = (keys: readonly PropertyKey[], message: string): InputIssue => ({
  keys,
  at: pathOf(keys),
  message,
});

export class InputError extends Error {
  override readonly name = 'InputError';
  readonly issues: readonly InputIssue[];

  constructor(issues: readonly InputIssue[]) {
    super(issues.map(({ at, message }) => (at === '' ? message : `${at}: ${message}`)).join('; '));
    this.issues = issues;
  }
}

/** A path of keys and indices as people write it. */
const pathOf = (keys: readonly PropertyKey[]): string =>
  keys.reduce<string>((path, key) => {
    if (typeof key === 'number') return `${path}[${key}]`;
    return path === '' ? String(key) : `${path}.${String(key)}`;
  }, '');
