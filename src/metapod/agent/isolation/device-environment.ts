/**
 * The environment by which each vendor's runtime is told which devices it may use.
 *
 * A runtime that is told nothing takes every device it can open, so a kind that the job does not hold is
 * hidden by an empty list, not by silence. `VISIBLE_DEVICES` sources: CUDA C++ Programming Guide "CUDA
 * Environment Variables"; NVIDIA container toolkit; ROCm "GPU isolation techniques"; Cloud TPU `TPU_VISIBLE_CHIPS`.
 */
import type { LaunchDevice } from '../supervisor/files.ts';

type Family = 'nvidia' | 'amd' | 'tpu' | 'other';

const family = (kind: string): Family => {
  const text = kind.toLowerCase();
  if (text.includes('nvidia') || text.includes('cuda')) return 'nvidia';
  if (text.includes('amd') || text.includes('rocm')) return 'amd';
  if (text.includes('tpu')) return 'tpu';
  return text === 'gpu' ? 'nvidia' : 'other';
};

/** Variables that name exactly the given devices and hide all others. */
export function deviceEnvironment(devices: readonly LaunchDevice[]): Record<string, string> {
  const of = (wanted: Family) => devices.filter((device) => family(device.kind) === wanted);
  // A UUID stays right when the driver numbers devices differently than we do (CUDA_DEVICE_ORDER).
  const nvidia = of('nvidia').map((device) => device.uuid ?? String(device.index));
  const amd = of('amd').map((device) => String(device.index));
  const tpu = of('tpu').map((device) => String(device.index));
  return {
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
    CUDA_VISIBLE_DEVICES: nvidia.join(','),
    NVIDIA_VISIBLE_DEVICES: nvidia.length > 0 ? nvidia.join(',') : 'void',
    ROCR_VISIBLE_DEVICES: amd.join(','),
    // HIP numbers what ROCR left visible, from 0.
    HIP_VISIBLE_DEVICES: amd.map((_, index) => String(index)).join(','),
    ...(tpu.length > 0 ? { TPU_VISIBLE_CHIPS: tpu.join(','), TPU_VISIBLE_DEVICES: tpu.join(',') } : {}),
  };
}
