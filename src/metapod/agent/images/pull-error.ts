/**
 * Why an image is not to be had, in words for the one who submitted the job and a code for programs.
 *
 * A node that cannot have an image now (registry away, disk full) and an image that cannot be had at all (no such name,
 * not authorised, damaged) are told apart: the first is worth another try, also elsewhere.
 */
export const pullErrorCodes = [
  'image_not_found',
  'image_unauthorised',
  'image_no_space',
  'image_timeout',
  'image_unreachable',
  'image_invalid',
  'image_not_allowed',
  'image_too_large',
  'image_no_user',
  'image_no_command',
  'image_no_device',
] as const;
export type PullErrorCode = (typeof pullErrorCodes)[number];

/** Of these the registry, the network or the node is the cause, and not the image: too large is what the room left here does not hold. */
const passing: ReadonlySet<PullErrorCode> = new Set([
  'image_timeout',
  'image_unreachable',
  'image_no_space',
  'image_too_large',
  'image_no_device',
]);

export class PullError extends Error {
  readonly code: PullErrorCode;
  /** Without the code before it. */
  readonly detail: string;

  /** @param detail what was wrong and where, without credentials */
  constructor(code: PullErrorCode, detail: string, options?: { cause?: unknown }) {
    super(`${code}: ${detail}`, options);
    this.name = 'PullError';
    this.code = code;
    this.detail = detail;
  }

  /** Another try, here or elsewhere, may end otherwise. */
  get isPassing(): boolean {
    return passing.has(this.code);
  }
}
