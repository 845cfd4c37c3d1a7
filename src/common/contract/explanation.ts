/**
 * Explanations as rows keep them: a tenth of their JSON.
 *
 * Twenty candidates with named terms are 7 kB of JSON, of which PostgreSQL parsed, sorted, compressed and logged every key: more than all
 * other work of a commit. Nearly all of it is said twice: terms have the same names, equal nodes the same values, ids the same beginning. So
 * candidates become one text, in which each of these stands once; everything else stays as it is, with `candidates: []` for readers of the
 * release before. What cannot be told apart from the text's own marks is kept whole. The scheduling thread packs, so that what crosses to
 * the loop is a text and not a hundred objects.
 *
 * The text: `signatures|sites|beginning of all node ids|groups`. A signature is the names and units of a candidate's terms; a group is
 * neighbours that differ in their node alone, as `site:score:signature:values:nodes`, site and signature by position.
 */
import type { NodeId, SiteId } from '../ids.ts';
import type { Candidate, Explanation, ScoreTerm } from './plan.ts';

/** What a row holds: packed, or whole (of releases before, and of what cannot be packed). */
export type StoredExplanation = Explanation & { readonly packed?: string };

/** The text's own marks, which may stand in no id, name or unit. */
const marks = /[|:;,=\n]/;

interface PackedTerms {
  /** Undefined: cannot be packed. */
  readonly signature: string | undefined;
  readonly values: string;
}

/** Terms are shared by all candidates of a class of nodes. */
const known = new WeakMap<readonly ScoreTerm[], PackedTerms>();

function packTerms(terms: readonly ScoreTerm[]): PackedTerms {
  const found = known.get(terms);
  if (found !== undefined) return found;
  const sound = terms.every(
    ({ name, value, unit }) =>
      Number.isFinite(value) && !Object.is(value, -0) && !marks.test(name) && !marks.test(unit),
  );
  const packed = {
    signature: sound ? terms.map(({ name, unit }) => `${name}=${unit}`).join(',') : undefined,
    values: terms.map(({ value }) => value).join(','),
  };
  known.set(terms, packed);
  return packed;
}

/** The explanation as rows keep it; one that is packed already as it is. */
export function packExplanation(explanation: StoredExplanation): StoredExplanation {
  const packed = packCandidates(explanation.candidates);
  return packed === undefined ? explanation : { ...explanation, candidates: [], packed };
}

function packCandidates(candidates: readonly Candidate[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const signatures: string[] = [];
  const sites: string[] = [];
  const groups: { readonly head: string; readonly nodes: string[] }[] = [];
  const start = commonStart(candidates);
  for (const { nodeId, siteId, score, terms } of candidates) {
    const { signature, values } = packTerms(terms);
    if (signature === undefined || !Number.isFinite(score) || Object.is(score, -0)) return undefined;
    if (marks.test(nodeId) || marks.test(siteId)) return undefined;
    const head = `${position(sites, siteId)}:${score}:${position(signatures, signature)}:${values}`;
    const rest = nodeId.slice(start.length);
    const last = groups.at(-1);
    if (last?.head === head) last.nodes.push(rest);
    else groups.push({ head, nodes: [rest] });
  }
  const written = groups.map(({ head, nodes }) => `${head}:${nodes.join(',')}`).join(';');
  return [signatures.join(';'), sites.join(','), start, written].join('|');
}

/** Where a text stands in the list; it is added when it does not. */
function position(list: string[], text: string): number {
  const at = list.indexOf(text);
  return at >= 0 ? at : list.push(text) - 1;
}

function commonStart(candidates: readonly Candidate[]): string {
  let start: string = candidates[0]!.nodeId;
  for (const { nodeId } of candidates) {
    let length = 0;
    while (length < start.length && start[length] === nodeId[length]) length += 1;
    start = start.slice(0, length);
  }
  return start;
}

/** The explanation of a row, whole. */
export function explanationOf({ packed, ...explanation }: StoredExplanation): Explanation {
  return packed === undefined ? explanation : { ...explanation, candidates: unpackCandidates(packed) };
}

function unpackCandidates(packed: string): Candidate[] {
  const [signatures, sites, start, groups] = packed.split('|').map((part) => part.split(';'));
  const names = signatures!.map((signature) =>
    signature === '' ? [] : signature.split(',').map((term) => term.split('=') as [name: string, unit: string]),
  );
  const siteIds = sites![0]!.split(',');
  return groups!.flatMap((group) => {
    const [site, score, signature, values, nodes] = group.split(':') as [string, string, string, string, string];
    const numbers = values.split(',').map(Number);
    const terms = names[Number(signature)]!.map(([name, unit], i) => ({ name, value: numbers[i]!, unit }));
    return nodes.split(',').map((rest) => ({
      nodeId: `${start![0]}${rest}` as NodeId,
      siteId: siteIds[Number(site)]! as SiteId,
      score: Number(score),
      terms,
    }));
  });
}
