/**
 * Sends a notification by e-mail, over the operator's SMTP server.
 *
 * A job's name comes from whoever submitted it: in the subject it is one line of bounded length, so it can neither add a header nor
 * hide what follows. The message is plain text. `Message-ID` follows from the delivery, so a repeat is the same message to every
 * mail program.
 */
import { createTransport, type Transporter } from 'nodemailer';
import type { Told } from './body.ts';
import type { Sent } from './webhook.ts';

export interface SmtpSettings {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte; otherwise STARTTLS where the server offers it. */
  readonly secure: boolean;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly from: string;
}

export interface Mail {
  readonly recipients: readonly string[];
  readonly deliveryId: string;
  readonly told: Told;
}

const connectMs = 10_000;
const socketMs = 20_000;
const longestSubject = 150;

const headlines: Record<Told['event'], string> = {
  finished: 'finished',
  failed: 'failed',
  cancelled: 'was cancelled',
  stuck: 'is stuck',
  test: 'would be told about like this',
};

export function makeTransport(settings: SmtpSettings): Transporter {
  const { host, port, secure, user, password } = settings;
  return createTransport({
    host,
    port,
    secure,
    ...(user !== undefined && { auth: { user, pass: password ?? '' } }),
    connectionTimeout: connectMs,
    greetingTimeout: connectMs,
    socketTimeout: socketMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

/** Sends one e-mail. Never throws. */
export async function sendMail(transport: Transporter, from: string, mail: Mail): Promise<Sent> {
  const { told } = mail;
  try {
    await transport.sendMail({
      from,
      to: [...mail.recipients],
      subject: subjectOf(told),
      text: textOf(told),
      messageId: `<${mail.deliveryId}@solyx>`,
      headers: { 'Auto-Submitted': 'auto-generated' },
    });
    return { kind: 'sent', status: null };
  } catch (error) {
    const { responseCode, code, message } = error as Error & { responseCode?: number; code?: string };
    return { kind: 'refused', status: responseCode ?? null, error: oneLine(`${code ?? 'ESMTP'}: ${message}`, 200) };
  }
}

/** Text of one line: without control characters and what turns the direction of writing, and not long. */
export const oneLine = (text: string, most: number): string =>
  text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, most)
    .toWellFormed();

export const subjectOf = ({ event, job }: Told): string =>
  oneLine(`[Solyx] ${oneLine(job.name, 80)} ${headlines[event]}`, longestSubject);

export function textOf(told: Told): string {
  const { job, project, stuck } = told;
  const lines = [
    `Job ${oneLine(job.name, 80)} (${job.id}) of project ${oneLine(project.name, 80)} ${headlines[told.event]}.`,
    '',
    `State: ${job.state}`,
    ...(job.reason ? [`Why: ${oneLine(job.reason, 500)}`] : []),
    ...(job.exitCode === null ? [] : [`Exit code: ${job.exitCode}`]),
    ...(stuck ? [`Nothing has moved since ${stuck.since}: ${oneLine(stuck.why, 500)}`] : []),
    ...(job.submittedAt ? [`Submitted: ${job.submittedAt}`] : []),
    ...(job.endedAt ? [`Ended: ${job.endedAt}`] : []),
    ...(told.url ? ['', told.url] : []),
  ];
  return `${lines.join('\n')}\n`;
}
