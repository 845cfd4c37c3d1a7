/** Notifications: whom to tell what, what was told, and telling it again. */
import { z } from 'zod';
import { id, instant, list, name, nothing, page } from './parts.ts';
import { defineRoute } from './route.ts';

const event = z.enum(['finished', 'failed', 'cancelled', 'stuck']);
const events = z.array(event).min(1).max(4);
const stuckAfterMinutes = z
  .int()
  .min(1)
  .max(10_080)
  .describe('After how long without anything moving a job counts as stuck, minutes. Default 30.');

const channel = z
  .object({
    id: id('notificationChannel'),
    name: z.string(),
    kind: z.enum(['webhook', 'email']),
    url: z.string().nullable(),
    recipients: z.array(z.string()).nullable(),
    project: z
      .object({ id: id('project'), name: z.string() })
      .nullable()
      .describe('null: jobs of every project.'),
    events,
    stuckAfterMinutes: z.int(),
    enabled: z.boolean(),
    createdAt: instant,
  })
  .meta({ id: 'NotificationChannel' });

const delivery = z
  .object({
    id: id('delivery'),
    channelId: id('notificationChannel'),
    event: z.enum(['finished', 'failed', 'cancelled', 'stuck', 'test']),
    subject: z.string().describe('Id of the job.'),
    state: z.enum(['pending', 'sent', 'failed']),
    attempts: z.int().min(0),
    nextAt: instant.nullable().describe('When it is tried next; only while pending.'),
    log: z
      .array(
        z.object({
          at: instant,
          status: z.int().nullable(),
          error: z.string().nullable(),
          ms: z.int().min(0),
        }),
      )
      .describe('The last ten tries.'),
    createdAt: instant,
    settledAt: instant.nullable(),
  })
  .meta({ id: 'NotificationDelivery' });

/** Only what a mail server takes for one plain address. */
const address = z
  .email()
  .max(254)
  .regex(/^[\x21-\x7e]+$/, 'expected an address like ada@example.com');

const webhookUrl = z
  .url({ protocol: /^https?$/ })
  .max(2048)
  .refine((text) => {
    // What is no URL at all was said so above, and comes here all the same.
    const url = URL.parse(text);
    return url === null || (url.username === '' && url.password === '' && url.hash === '');
  }, 'a web-hook has neither user, password nor fragment in its URL; its requests are signed');

const channelParams = z.strictObject({ id: id('notificationChannel') });

export const notificationRoutes = {
  createNotificationChannel: defineRoute('createNotificationChannel', {
    summary: 'Tell a web-hook or people by e-mail what becomes of jobs; the secret that signs a web-hook is shown once',
    access: { role: 'admin' },
    body: z
      .strictObject({
        name,
        url: webhookUrl
          .optional()
          .describe(
            'A web-hook. Public addresses only, unless the operator allows others; what a name means is looked up at each call.',
          ),
        recipients: z.array(address).min(1).max(20).optional().describe('E-mail addresses.'),
        project: name.optional().describe('Only jobs of this project. Default: of all.'),
        events: events.default(['finished', 'failed', 'stuck']),
        stuckAfterMinutes: stuckAfterMinutes.default(30),
      })
      .refine(
        (body) => (body.url === undefined) !== (body.recipients === undefined),
        'say either `url` or `recipients`',
      ),
    status: 201,
    answer: 'json',
    response: channel.extend({ secret: z.string().nullable().describe('What signs a web-hook; shown only here.') }),
    errors: ['already_exists', 'conflict', 'secrets_key_missing'],
  }),
  listNotificationChannels: defineRoute('listNotificationChannels', {
    summary: 'List channels; never their secrets',
    access: { role: 'admin' },
    query: z.strictObject(page),
    status: 200,
    answer: 'json',
    response: list(channel),
    errors: ['cursor_invalid'],
  }),
  updateNotificationChannel: defineRoute('updateNotificationChannel', {
    summary: 'Change what a channel is told, or pause it; fields that are left out stay',
    access: { role: 'admin' },
    params: channelParams,
    body: z.strictObject({
      enabled: z.boolean().optional(),
      events: events.optional(),
      stuckAfterMinutes: stuckAfterMinutes.optional(),
    }),
    status: 200,
    answer: 'json',
    response: channel,
    errors: [],
  }),
  removeNotificationChannel: defineRoute('removeNotificationChannel', {
    summary: 'Delete a channel with its history',
    access: { role: 'admin' },
    params: channelParams,
    status: 204,
    answer: 'none',
    response: nothing,
    errors: [],
  }),
  testNotificationChannel: defineRoute('testNotificationChannel', {
    summary: 'Send a test to a channel; `listNotificationDeliveries` says what became of it',
    access: { role: 'admin' },
    params: channelParams,
    status: 201,
    answer: 'json',
    response: z.object({ deliveryId: id('delivery') }),
    errors: [],
  }),
  listNotificationDeliveries: defineRoute('listNotificationDeliveries', {
    summary: 'List what was told or is to be told, newest first, with the last tries',
    access: { role: 'admin' },
    query: z.strictObject({
      ...page,
      channelId: id('notificationChannel').optional(),
      state: z.enum(['pending', 'sent', 'failed']).optional(),
    }),
    status: 200,
    answer: 'json',
    response: list(delivery),
    errors: ['cursor_invalid'],
  }),
  replayNotificationDelivery: defineRoute('replayNotificationDelivery', {
    summary: 'Send a delivery again: the same body under the same id',
    access: { role: 'admin' },
    params: z.strictObject({ id: id('delivery') }),
    status: 200,
    answer: 'json',
    response: delivery,
    errors: ['conflict'],
  }),
};
