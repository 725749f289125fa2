export type { Answer } from './answers.ts';
export { createCubeLayer } from './layer.ts';
export { cubeInstalled } from './library.ts';
export type { CubeLayer, CubeOptions, CubeStatus, LoadRequest } from './types.ts';
