import 'reflect-metadata';
import { BadRequestException } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { problemText, SseOptionsError } from '../ground/errors.js';
import type { HttpRequest } from '../output/request.js';
import type { AnyContract } from '../schema/contract-types.js';
import { validate } from '../schema/validate.js';

/**
 * What the schemas of a contract returned for a request. A key is absent if there is no schema: a
 * schema may return `undefined`.
 */
export interface ContractInput {
  query?: unknown;
  params?: unknown;
}

/** A `@Query()` or `@Param()` of a handler. */
interface InputParameter {
  readonly index: number;
  readonly from: keyof ContractInput;
  /** The property, as in `@Param('customer')`; `undefined` for all of them. */
  readonly property: string | undefined;
  readonly hasPipes: boolean;
}

/** Nest's metadata of one parameter. Its key is the kind of the parameter and its index. */
interface Argument {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
}

const SOURCES = new Map<number, keyof ContractInput>([
  [RouteParamtypes.QUERY, 'query'],
  [RouteParamtypes.PARAM, 'params'],
]);

/** The `@Query()` and `@Param()` parameters of a method. */
export function inputParameters(target: object, key: string | symbol): InputParameter[] {
  const all = Reflect.getMetadata(ROUTE_ARGS_METADATA, target.constructor, key) as
    Readonly<Record<string, Argument>> | undefined;
  return Object.entries(all ?? {}).flatMap(([name, { index, data, pipes = [] }]) => {
    const from = SOURCES.get(Number(name.split(':')[0]));
    const property = typeof data === 'string' && data !== '' ? data : undefined;
    return from === undefined ? [] : [{ index, from, property, hasPipes: pipes.length > 0 }];
  });
}

/**
 * Refuses a handler that asks for a path parameter that is neither in its contract nor in the
 * `prefix`, the path before it.
 * @throws SseOptionsError
 */
export function checkParameters(
  prefix: string,
  contract: AnyContract,
  parameters: readonly InputParameter[],
  handler: string,
): void {
  const known = new Set([
    ...contract.parameters,
    ...[...prefix.matchAll(/[:*]([\w$]+)/g)].map(([, name]) => name),
  ]);
  for (const { from, property } of parameters) {
    if (from !== 'params' || property === undefined) continue;
    if (known.has(property)) continue;
    const problem = `the contract "${contract.path}" has no parameter ":${property}"; add it to the path, or correct the name`;
    throw new SseOptionsError(
      `@Param() of ${handler}`,
      'a parameter of the path',
      property,
      problem,
    );
  }
}

/**
 * Gives a handler what the schemas returned, instead of what `@Query()` and `@Param()` read. A
 * parameter with pipes of its own keeps what they returned.
 */
export function applyInput(
  args: unknown[],
  input: ContractInput,
  parameters: readonly InputParameter[],
): void {
  for (const { index, from, property, hasPipes } of parameters) {
    if (!(from in input) || hasPipes) continue;
    const value = input[from] as Readonly<Record<string, unknown>> | null | undefined;
    args[index] = property === undefined ? value : value?.[property];
  }
}

/**
 * Checks the query and the path parameters of a request.
 * @throws BadRequestException, as Nest's pipes do, with all problems
 */
export async function contractInput(
  { query, params }: AnyContract,
  request: HttpRequest,
): Promise<ContractInput> {
  // `lastEventId` is the library's, so a strict schema must not refuse it.
  const { lastEventId: _, ...ownQuery } = { ...(request.query as object) } as Record<
    string,
    unknown
  >;
  const { params: ownParams } = request as { params?: object };
  const problems: string[] = [];
  const input: ContractInput = {};
  const check = async (name: keyof ContractInput, schema: typeof query, value: object) => {
    if (schema === undefined) return;
    const result = await validate(schema, value);
    if (result.problems === undefined) input[name] = result.value;
    else {
      problems.push(
        ...result.problems.map((problem) =>
          problemText({ ...problem, path: [name, problem.path].filter(Boolean).join('.') }),
        ),
      );
    }
  };
  await check('query', query, ownQuery);
  await check('params', params, { ...ownParams });
  if (problems.length > 0) throw new BadRequestException(problems);
  return input;
}
