import { describe, expect, it } from 'vitest';
import { defaultPolicy, InvalidPolicyError } from '../../../../../src/cmo/scheduler/core/policy.ts';
import { readCluster } from '../../../../../src/cmo/scheduler/simulation/inputs/cluster-file.ts';
import { InputError } from '../../../../../src/cmo/scheduler/simulation/inputs/input-error.ts';
import { isNodeList, readNodeList } from '../../../../../src/cmo/scheduler/simulation/inputs/openb-nodes.ts';
import { readPolicy } from '../../../../../src/cmo/scheduler/simulation/inputs/policy-file.ts';
import { readTrace } from '../../../../../src/cmo/scheduler/simulation/traces/trace.ts';
import { TraceError } from '../../../../../src/cmo/scheduler/simulation/traces/trace-error.ts';
import { jobsOf } from '../../../../../src/cmo/scheduler/simulation/workload.ts';

function issuesOf(read: () => unknown): string[] {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as InputError).issues.map(({ at }) => at);
  }
  throw new Error('it was not refused');
}
const node = { count: 2, cpu: 8 };
const withNode = (change: object) => ({ sites: [{ name: 's', nodes: [{ ...node, ...change }] }] });

describe('a cluster file', () => {
  it('makes nodes by count, with devices and quantities as people write them', () => {
    const { nodes } = readCluster(
      withNode({
        memory: '64GiB',
        devices: [
          { model: 'A', count: 2 },
          { kind: 'tpu', count: 1 },
        ],
      }),
    );
    expect(nodes.map(({ id }) => id)).toEqual(['s/node-1', 's/node-2']);
    expect(nodes[0]).toMatchObject({
      cpuMilli: 8000,
      memoryBytes: 64 * 2 ** 30,
      devices: [{ count: 2 }, { kind: 'tpu' }],
    });
  });

  it.each<[string, unknown, string]>([
    ['a key that nobody knows', withNode({ cpus: 4 }), 'sites[0].nodes[0]'],
    ['no nodes', { sites: [{ name: 's', nodes: [] }] }, 'sites[0].nodes'],
    ['no count', { sites: [{ name: 's', nodes: [{ cpu: 1 }] }] }, 'sites[0].nodes[0].count'],
    ['a negative count', withNode({ count: -1 }), 'sites[0].nodes[0].count'],
    ['NaN', withNode({ cpu: Number.NaN }), 'sites[0].nodes[0].cpu'],
    ['a memory that is none', withNode({ memory: 'lots' }), 'sites[0].nodes[0].memory'],
    ['a site twice', { sites: [...withNode({}).sites, ...withNode({}).sites] }, 'sites[1].name'],
    [
      'more nodes than can be simulated',
      { sites: [{ name: 's', nodes: [{ ...node, count: 200_000 }, node] }] },
      'sites',
    ],
    [
      'failures without a time between them',
      { ...withNode({}), failures: { meanHoursBetween: 0 } },
      'failures.meanHoursBetween',
    ],
    ['an account twice', { ...withNode({}), accounts: [{ user: 'a' }, { user: 'a' }] }, 'accounts[1]'],
    ['a weight of nothing', { ...withNode({}), accounts: [{ user: 'a', weight: 0 }] }, 'accounts[0].weight'],
    [
      'a quota for what is none',
      { ...withNode({}), accounts: [{ user: 'a', quotas: [{ resource: 'ram' }] }] },
      'accounts[0].quotas[0].resource',
    ],
    ['a list', [], ''],
    ['nothing', null, ''],
  ])('with %s is refused', (_, value, at) => {
    expect(issuesOf(() => readCluster(value))).toContain(at);
  });
});

describe('a policy file', () => {
  it('says what differs from the defaults', () => {
    expect(readPolicy({ placement: 'best-fit' })).toEqual({ ...defaultPolicy, placement: 'best-fit' });
    expect(readPolicy(null)).toEqual(defaultPolicy);
  });

  it('is refused for a name that no policy has, and for a value of another type', () => {
    expect(issuesOf(() => readPolicy({ plasement: 'best-fit', maxPlacements: '5' }))).toEqual([
      'plasement',
      'maxPlacements',
    ]);
    expect(issuesOf(() => readPolicy({ constructor: 1 }))).toEqual(['constructor']);
    expect(issuesOf(() => readPolicy('best-fit'))).toEqual(['']);
  });

  it('is refused for a value out of range, as production refuses it', () => {
    expect(() => readPolicy({ placement: 'anywhere' })).toThrow(InvalidPolicyError);
    expect(() => readPolicy({ maxPlacements: 0 })).toThrow(InvalidPolicyError);
  });
});

const podColumns =
  'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time';

describe('a trace', () => {
  it.each([
    ['swf', '; comment\n1 0 -1 60 4 -1 -1 4 90 -1 1 3 1 -1 -1 1 -1 -1', 'core'],
    ['swf', '1 0 -1 60 4 -1 -1 4 90 -1 1 3 1 -1 -1 1 -1 -1', 'core'],
    ['itp', 'job_id,submission_time,duration,num_gpu\nx,0,5,1', 'device'],
    ['philly', 'timestamp,duration,num_gpus,gpu_time,cluster\n2017-10-09 07:01:55,66.0,1,66.0,a', 'device'],
    ['openb', `${podColumns}\np,1000,1024,1,500,,LS,Running,0,50,10`, 'device'],
  ])('is known as %s by its content', (format, text, unit) => {
    expect(readTrace(text)).toMatchObject({ format, unit, jobs: [{}] });
  });

  it('of pods keeps what each asks for', () => {
    const { jobs } = readTrace(
      `${podColumns}\np,12000,16384,1,460,V100M16|V100M32,LS,Running,5,50,10\nq,500,64,0,0,,BE,Running,6,9,`,
    );
    expect(jobs).toMatchObject([
      {
        submittedAt: 5,
        runSeconds: 40,
        wants: { cpuMilli: 12_000, devices: 1, milli: 460, models: ['V100M16', 'V100M32'] },
      },
      { submittedAt: 6, runSeconds: 3, wants: { devices: 0 } },
    ]);
    const cluster = readNodeList('sn,cpu_milli,memory_mib,gpu,model\nn0,64000,262144,2,P100\nn1,8000,1024,0,');
    expect(jobsOf(jobs, 'device', cluster).map(({ milli }) => milli)).toEqual([460, 500]);
  });

  it.each([
    ['a pod without deletion', `${podColumns}\np,1,1,0,0,,LS,Running,0,,0`, 2, 'deletion_time'],
    ['a pod that was deleted before it ran', `${podColumns}\np,1,1,0,0,,LS,Running,0,5,9`, 2, 'deleted 4 s before'],
    ['a share of nothing', `${podColumns}\np,1,1,1,0,,LS,Running,0,5,0`, 2, 'gpu_milli'],
    ['pods out of order', `${podColumns}\np,1,1,0,0,,LS,R,9,9,9\nq,1,1,0,0,,LS,R,8,9,8`, 3, 'before the job above'],
    ['a pod list without a column', `${podColumns.replace(',qos', '')}\n`, 1, '"qos" is missing'],
    ['something else', 'hello,world\n1,2', 1, 'no trace that is known'],
    ['an empty file', '', 1, 'no trace that is known'],
  ])('with %s is refused with its line', (_, text, line, problem) => {
    const read = () => readTrace(text);
    expect(read).toThrow(TraceError);
    expect(read).toThrow(problem);
    expect(read).toThrow(`line ${line}:`);
  });
});

it('a list of nodes is told from a cluster file', () => {
  expect(isNodeList('sn,cpu_milli,memory_mib,gpu,model\n')).toBe(true);
  expect(isNodeList('sites: []')).toBe(false);
  expect(() => readNodeList('sn,cpu_milli,memory_mib,gpu,model\nn,-5,1,0,\n')).toThrow('line 2: cpu_milli');
});
