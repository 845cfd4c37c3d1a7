/** Checks of the fleet and of what should run on it, through the API. */
import type { CallAnswer } from '../../common/contract/client.ts';
import { type Check, type Finding, failed, ok, skipped, warning } from './check.ts';

type Node = CallAnswer<'listNodes'>['items'][number];
type Job = CallAnswer<'listJobs'>['items'][number];

/** A job that waits for longer is worth a word, minutes. */
const longWaitMinutes = 15;
const page = 200;

/** Nodes that are not as they should be, each by name. */
export const checkFleet: Check = async ({ client }) => {
  if (client === undefined) return [skipped('fleet', 'No control plane answers.')];
  const { items, nextCursor } = await client.listNodes({ query: { limit: page } });
  if (items.length === 0)
    return [
      failed(
        'fleet',
        'There is no node, so no job can start.',
        'Let one join: solyx keys create --kind join, then on the machine solyx agent --server … --token …',
      ),
    ];
  const findings = items.flatMap(ofNode);
  const ready = items.filter(({ presence, scheduling }) => presence === 'ready' && scheduling === 'open').length;
  const more = nextCursor === null ? '' : ` of the first ${page}`;
  if (ready === 0)
    findings.unshift(
      failed('fleet', `None of ${items.length} nodes takes work.`, 'Mend or uncordon one of those below.'),
    );
  else findings.unshift(ok('fleet', `${ready} of ${items.length} nodes${more} take work.`));
  return findings;
};

function ofNode({ id, name, presence, scheduling, health, healthReasons }: Node): Finding[] {
  const findings: Finding[] = [];
  if (presence === 'lost') {
    findings.push(
      failed(
        'fleet.node',
        `Node ${name} is lost.`,
        `Start its agent again; if the machine is gone for good: solyx nodes remove ${id} --powered-off`,
      ),
    );
  }
  if (presence === 'joining')
    findings.push(
      warning('fleet.node', `Node ${name} has not reported yet.`, 'Wait a moment, or see the log of its agent.'),
    );
  if (scheduling !== 'open')
    findings.push(warning('fleet.node', `Node ${name} is ${scheduling}.`, `solyx nodes uncordon ${id}`));
  if (health !== 'ok') {
    findings.push(
      warning('fleet.node', `Node ${name} is degraded: ${healthReasons.join(', ')}.`, `solyx nodes show ${id}`),
    );
  }
  return findings;
}

/** Jobs that hang: out of contact, or waiting for long. */
export const checkJobs: Check = async ({ client }) => {
  if (client === undefined) return [skipped('jobs', 'No control plane answers.')];
  const waiting = await client.listJobs({ query: { state: ['queued'], limit: page } });
  const active = await client.listJobs({ query: { state: ['starting', 'running', 'stopping'], limit: page } });
  const findings = [
    ...active.items.filter(({ contactLostSince }) => contactLostSince !== null).map(outOfContact),
    ...longWaits(waiting.items),
  ];
  return findings.length > 0
    ? findings
    : [ok('jobs', `${active.items.length} run, ${waiting.items.length} wait, none hangs.`)];
};

const outOfContact = ({ id, name, contactLostSince }: Job): Finding =>
  warning(
    'jobs.contact',
    `${name} (${id}) is out of contact since ${contactLostSince}.`,
    'Its node is lost: see above. It goes on, or starts elsewhere once it has ended for certain.',
  );

/** One finding a reason, because a hundred jobs that wait for the same thing have one cure. */
function longWaits(jobs: readonly Job[]): Finding[] {
  const before = Date.now() - longWaitMinutes * 60_000;
  const waiting = jobs.filter(
    ({ submittedAt, pending }) => Date.parse(submittedAt) < before && pending?.deferredUntil == null,
  );
  const byReason = Map.groupBy(waiting, ({ pending }) => pending?.reason ?? 'new');
  return [...byReason].map(([reason, waiting]) => {
    const [first] = waiting;
    const message = first!.pending?.message ?? reason;
    return warning(
      'jobs.waiting',
      `${waiting.length} wait for more than ${longWaitMinutes} min (${reason}), such as ${first!.id}: ${message}`,
      `solyx job ${first!.id}`,
    );
  });
}
