export type { Answer } from './answers.ts';
export {
  type CubeLayer,
  type CubeOptions,
  type CubeStatus,
  createCubeLayer,
  type LoadRequest,
} from './layer.ts';
export { cubeInstalled } from './library.ts';
