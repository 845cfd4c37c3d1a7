/** Notifications by e-mail, to a real SMTP server of this test. */
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createChannel } from '../../../../src/cmo/monitoring/index.ts';
import { withTenant } from '../../../../src/common/database/index.ts';
import { until } from '../../../support/until.ts';
import { Notifying } from './support/notifying.ts';

let t: Notifying;
beforeAll(async () => {
  t = await Notifying.create();
});
afterEach(() => t.clear());
afterAll(() => t.close());

describe('e-mail', () => {
  /** A real SMTP server that keeps what it was given; refuses as often as told. */
  async function mailServer(refusals = 0) {
    const mails: { to: string[]; data: string }[] = [];
    let left = refusals;
    const server = new SMTPServer({
      authOptional: true,
      disabledCommands: ['STARTTLS', 'AUTH'],
      onData(stream, session, done) {
        void text(stream).then((data) => {
          left -= 1;
          if (left >= 0) return done(Object.assign(new Error('try later'), { responseCode: 451 }));
          mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), data });
          done();
        });
      },
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    t.servers.push({ close: () => server.close(() => undefined) });
    return { mails, port: (server.server.address() as AddressInfo).port };
  }

  const channel = (tenant: string, recipients: string[]) =>
    withTenant(t.database.db, tenant, (tx) =>
      createChannel(tx, t.store, {
        tenant,
        project: null,
        name: 'people',
        target: { kind: 'email', recipients },
        events: ['failed'],
        stuckAfterMinutes: 30,
        by: 'key_1',
      }),
    );

  it('reaches its recipients, is repeated under the same Message-ID, and a hostile reason adds no header', async () => {
    const owner = await t.makeTenant();
    const { mails, port } = await mailServer(1);
    await t.start({ smtpPort: port });
    await channel(owner.tenant, ['ada@example.com', 'grace@example.com']);
    const job = await t.addJob(owner, { name: 'evil\r\nBcc: mallory@example.com' });
    await t.end(owner.tenant, job, 'failed', 'because\r\n\r\nBcc: mallory@example.com\r\n.\r\nMAIL FROM:<x>');
    const row = await t.settled(owner.tenant, 'sent');
    expect(row.log[0]).toMatchObject({ status: 451 });
    expect(mails).toHaveLength(1);
    const [{ to, data }] = mails as [(typeof mails)[0]];
    expect(to).toEqual(['ada@example.com', 'grace@example.com']);
    const head = data.split('\r\n\r\n')[0]!;
    expect(head).toMatch(/^Subject: \[Solyx\] evil Bcc: mallory@example\.com failed$/m);
    expect(head).not.toMatch(/^Bcc:/im);
    expect(head).toContain(`Message-ID: <${row.id}@solyx>`);
    expect(head).toMatch(/^Auto-Submitted: auto-generated$/m);
    expect(data).toContain(job);
  });

  it('is not lost while there is no mail server', async () => {
    const owner = await t.makeTenant();
    await t.start();
    await channel(owner.tenant, ['ada@example.com']);
    await t.end(owner.tenant, await t.addJob(owner), 'failed');
    await until('it was tried', async () => ((await t.history(owner.tenant))[0]?.attempts ?? 0) > 0);
    await t.notifier!.stop();
    const { mails, port } = await mailServer();
    await t.start({ smtpPort: port });
    await t.settled(owner.tenant, 'sent');
    expect(mails).toHaveLength(1);
  });
});
