/**
 * Sends a notification by e-mail.
 *
 * A job's name comes from whoever submitted it: in the subject it is one line of bounded length, so it can neither add a header nor
 * hide what follows. `Message-ID` follows from the delivery, so a repeat is the same message to every mail program.
 */
import type { Mailer } from '../../../common/mail/index.ts';
import type { Told } from './body.ts';
import type { Sent } from './webhook.ts';

export interface MailTelling {
  readonly recipients: readonly string[];
  readonly deliveryId: string;
  readonly told: Told;
}

const longestSubject = 150;

const headlines: Record<Told['event'], string> = {
  finished: 'finished',
  failed: 'failed',
  cancelled: 'was cancelled',
  stuck: 'is stuck',
  test: 'would be told about like this',
};

/** Sends one e-mail. Never throws. */
export async function sendMail(mailer: Mailer, { recipients, deliveryId, told }: MailTelling): Promise<Sent> {
  try {
    await mailer.send({
      to: recipients,
      subject: subjectOf(told),
      text: textOf(told),
      messageId: `${deliveryId}@solyx`,
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
