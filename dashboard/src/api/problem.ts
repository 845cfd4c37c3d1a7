/** A request that failed, with what a person needs to act on it (RFC 9457, contracts §9). */
export interface ProblemFields {
  /** Code of the error table, or `network` when nobody answered. */
  readonly code: string;
  readonly title: string;
  readonly detail?: string | undefined;
  readonly remedy?: string | undefined;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** How the server's log finds the case. */
  readonly requestId?: string | undefined;
  readonly issues?: readonly { readonly at: string; readonly message: string }[] | undefined;
  /** Seconds after which the server wants to be asked again. */
  readonly retryAfterSeconds?: number | undefined;
}

export class Problem extends Error implements ProblemFields {
  readonly code: string;
  readonly title: string;
  readonly detail: string | undefined;
  readonly remedy: string | undefined;
  readonly status: number;
  readonly requestId: string | undefined;
  readonly issues: ProblemFields['issues'];
  readonly retryAfterSeconds: number | undefined;

  constructor(fields: ProblemFields) {
    super([fields.title, fields.detail].filter(Boolean).join(' '));
    this.name = 'Problem';
    this.code = fields.code;
    this.title = fields.title;
    this.detail = fields.detail;
    this.remedy = fields.remedy;
    this.status = fields.status;
    this.requestId = fields.requestId;
    this.issues = fields.issues;
    this.retryAfterSeconds = fields.retryAfterSeconds;
  }
}

/** Whether asking again, later, may help by itself. */
export const isPassing = ({ status }: ProblemFields): boolean =>
  status === 0 || status === 429 || status === 502 || status === 503 || status === 504;

/** Any thrown thing as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Problem({ code: 'client', title: 'The page failed.', detail, status: -1 });
}

/** The problem that an answer carries; an answer that is none of ours (a proxy's) is told by its status. */
export function readProblem(status: number, headers: { get(name: string): string | null }, body: unknown): Problem {
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
  const requestId = headers.get('x-request-id') ?? undefined;
  const retryAfterSeconds = retryAfter > 0 ? retryAfter : undefined;
  const given =
    typeof body === 'object' && body !== null ? (body as Partial<ProblemFields> & { instance?: string }) : {};
  if (typeof given.code === 'string' && typeof given.title === 'string') {
    return new Problem({
      code: given.code,
      title: given.title,
      detail: given.detail,
      remedy: given.remedy,
      issues: given.issues,
      status,
      requestId: given.instance ?? requestId,
      retryAfterSeconds,
    });
  }
  const title = status >= 500 ? 'The server failed.' : 'The server refused the request.';
  const detail = `It answered ${status}, without saying why.`;
  return new Problem({ code: `http_${status}`, title, detail, status, requestId, retryAfterSeconds });
}
