/**
 * The one error class for expected failures that cross a boundary, and its RFC 9457 form.
 *
 * Expected outcomes inside the product are values; this is for what a person or a client has to read. `issues` name
 * the places (JSON pointers or config keys), `detail` the case, the table the remedy.
 */
import { type Code, type ErrorCode, errorCodes } from './codes.ts';

/** One thing that is wrong at one place: `at` is a JSON pointer (`/resources/cpu`), a config key or a parameter. */
export interface Issue {
  readonly at: string;
  readonly message: string;
}

export interface ErrorOptions {
  /** What is special about this case; never contains secrets. */
  readonly detail?: string | undefined;
  readonly issues?: readonly Issue[] | undefined;
  readonly cause?: unknown;
  /** Seconds after which a retry makes sense, > 0. */
  readonly retryAfterSeconds?: number | undefined;
}

/** RFC 9457 problem details with Solyx' `code`, `remedy`, `issues` and the request id as `instance`. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: Code;
  detail?: string;
  remedy: string;
  issues?: Issue[];
  instance?: string;
}

export class SolyxError extends Error {
  readonly code: Code;
  readonly detail: string | undefined;
  readonly issues: readonly Issue[];
  readonly retryAfterSeconds: number | undefined;

  constructor(code: Code, options: ErrorOptions | string = {}) {
    const settled = typeof options === 'string' ? { detail: options } : options;
    const entry: ErrorCode = errorCodes[code];
    super(settled.detail ? `${entry.title} ${settled.detail}` : entry.title, { cause: settled.cause });
    this.name = 'SolyxError';
    this.code = code;
    this.detail = settled.detail;
    this.issues = settled.issues ?? [];
    this.retryAfterSeconds = settled.retryAfterSeconds;
  }

  /** HTTP status of the code, 400..599. */
  get status(): number {
    return errorCodes[this.code].status;
  }

  get remedy(): string {
    return errorCodes[this.code].remedy;
  }
}

/** Renders an error as problem+json. `instance` is the request id, by which the server log finds the case. */
export function toProblem(error: SolyxError, instance?: string): Problem {
  return {
    type: `https://solyx.dev/errors/${error.code}`,
    title: errorCodes[error.code].title,
    status: error.status,
    code: error.code,
    ...(error.detail !== undefined && { detail: error.detail }),
    remedy: error.remedy,
    ...(error.issues.length > 0 && { issues: [...error.issues] }),
    ...(instance !== undefined && { instance }),
  };
}
