/** Entry of the thread that parses large YAML. */
import { serveCalls } from '../threads/call-thread.ts';
import { readYaml } from './yaml-body.ts';

serveCalls(readYaml);
