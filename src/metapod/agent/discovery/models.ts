/**
 * Device models: from the name that a tool prints to the model that users ask for, and its design power.
 *
 * One table, first match wins, so that variants (NVL, PCIe) stand above the plain model. TDP drives modelled
 * energy where power is not measured; sources: mlco2/impact data/gpus.csv and vendors' data sheets for GPUs,
 * Jouppi et al., ISCA'23, table 4 (TPU v4, maximum power), mlco2/impact (TPU v3, average), AMD Alveo product
 * briefs (maximum board power). Idle watts are readings reported for boards with nothing running.
 */
import { textOf } from './reading.ts';

export type ModelPower = {
  /** Design power, watts. */
  tdpWatts: number;
  /** Power with nothing running, watts. */
  idleWatts: number;
};

type ModelRow = { name: RegExp; model: string; tdpWatts: number; idleWatts?: number };

/** Idle share of design power where no reading is known: H100 SXM idles at 64–75 of 700 W. */
export const DEFAULT_IDLE_SHARE = 0.1;

const MODELS: readonly ModelRow[] = [
  { name: /\bGB300\b/, model: 'GB300', tdpWatts: 1400 },
  { name: /\bGB200\b/, model: 'GB200', tdpWatts: 1200 },
  { name: /\bB300\b/, model: 'B300', tdpWatts: 1400 },
  { name: /\bB200\b/, model: 'B200', tdpWatts: 1000, idleWatts: 130 },
  { name: /\bGH200\b/, model: 'GH200', tdpWatts: 700, idleWatts: 75 },
  { name: /\bH200\b.*NVL/, model: 'H200', tdpWatts: 600 },
  { name: /\bH200\b/, model: 'H200', tdpWatts: 700, idleWatts: 75 },
  { name: /\bH100\b.*NVL/, model: 'H100', tdpWatts: 400 },
  { name: /\bH100\b.*PCIe/i, model: 'H100', tdpWatts: 350 },
  { name: /\bH100\b/, model: 'H100', tdpWatts: 700, idleWatts: 65 },
  { name: /\bA100\b.*80GB PCIe/i, model: 'A100', tdpWatts: 300 },
  { name: /\bA100\b.*PCIe/i, model: 'A100', tdpWatts: 250 },
  { name: /\bA100\b/, model: 'A100', tdpWatts: 400, idleWatts: 52 },
  { name: /\bL40S\b/, model: 'L40S', tdpWatts: 350, idleWatts: 35 },
  { name: /\bL40\b/, model: 'L40', tdpWatts: 300 },
  { name: /\bL4\b/, model: 'L4', tdpWatts: 72, idleWatts: 12 },
  { name: /\bA10G\b/, model: 'A10G', tdpWatts: 150, idleWatts: 20 },
  { name: /\bA10\b/, model: 'A10', tdpWatts: 150, idleWatts: 20 },
  { name: /\bA40\b/, model: 'A40', tdpWatts: 300 },
  { name: /RTX PRO 6000 Blackwell/i, model: 'RTX-PRO-6000', tdpWatts: 600 },
  { name: /RTX 6000 Ada/i, model: 'RTX-6000-Ada', tdpWatts: 300 },
  { name: /RTX A6000/, model: 'RTX-A6000', tdpWatts: 300 },
  { name: /RTX A5000/, model: 'RTX-A5000', tdpWatts: 230 },
  { name: /RTX A4000/, model: 'RTX-A4000', tdpWatts: 140 },
  { name: /RTX 5090\b/, model: 'RTX-5090', tdpWatts: 575 },
  { name: /RTX 4090\b/, model: 'RTX-4090', tdpWatts: 450 },
  { name: /RTX 4080\b/, model: 'RTX-4080', tdpWatts: 320 },
  { name: /RTX 3090\b/, model: 'RTX-3090', tdpWatts: 350 },
  { name: /RTX 3080\b/, model: 'RTX-3080', tdpWatts: 320 },
  { name: /\bV100\b.*PCIe/i, model: 'V100', tdpWatts: 250 },
  { name: /\bV100\b/, model: 'V100', tdpWatts: 300, idleWatts: 40 },
  { name: /\bP100\b/, model: 'P100', tdpWatts: 250 },
  { name: /\bT4\b/, model: 'T4', tdpWatts: 70, idleWatts: 10 },
  { name: /\bMI355X\b/, model: 'MI355X', tdpWatts: 1400 },
  { name: /\bMI325X\b/, model: 'MI325X', tdpWatts: 1000 },
  { name: /\bMI300X\b/, model: 'MI300X', tdpWatts: 750, idleWatts: 115 },
  { name: /\bMI250X\b/, model: 'MI250X', tdpWatts: 560 },
  { name: /\bMI210\b/, model: 'MI210', tdpWatts: 300 },
  { name: /^TPU v3$/, model: 'TPU-v3', tdpWatts: 283 },
  { name: /^TPU v4$/, model: 'TPU-v4', tdpWatts: 192 },
  { name: /\bu200_/i, model: 'U200', tdpWatts: 225 },
  { name: /\bu250_/i, model: 'U250', tdpWatts: 225 },
  { name: /\bu280_/i, model: 'U280', tdpWatts: 225 },
  { name: /\bu55c_/i, model: 'U55C', tdpWatts: 150 },
  { name: /\bu50_/i, model: 'U50', tdpWatts: 75 },
];

/** FPGA platform names glue words with underscores, which `\b` takes for letters. */
function rowOf(fullName: string): ModelRow | undefined {
  const spaced = fullName.replace(/^xilinx_/i, '');
  return MODELS.find((row) => row.name.test(spaced));
}

/**
 * The model that users ask for: `NVIDIA H100 80GB HBM3` → `H100`.
 * A name that is not in the table loses its vendor and brand and gets dashes: `NVIDIA TITAN V` → `TITAN-V`.
 */
export function modelOf(fullName: string): string {
  const row = rowOf(fullName);
  if (row !== undefined) return row.model;
  const bare = (textOf(fullName) ?? '')
    .replace(/^(NVIDIA|AMD|Tesla|GeForce|Quadro|Radeon|Instinct|xilinx)[\s_]+/gi, '')
    .replace(/^(Tesla|GeForce|Quadro|Radeon|Instinct)\s+/i, '')
    .replace(/[^A-Za-z0-9.]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 48);
  return bare === '' ? 'unknown' : bare;
}

/** Design and idle power of a model by the tool's full name, or null when the table does not know it. */
export function modelPowerOf(fullName: string): ModelPower | null {
  const row = rowOf(fullName);
  if (row === undefined) return null;
  return { tdpWatts: row.tdpWatts, idleWatts: row.idleWatts ?? row.tdpWatts * DEFAULT_IDLE_SHARE };
}
