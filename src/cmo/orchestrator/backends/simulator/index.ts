export { adoptSimulated, recordSimulatedPresence, registerSimulatedNodes, type SimulatedNode } from './nodes.ts';
export { scaledClock } from './scaled-clock.ts';
export { endNamed, type Faults, type Script, SimulatedCrash, scriptOfSpec, success } from './script.ts';
export { Simulator, type SimulatorOptions } from './simulator.ts';
