import 'reflect-metadata';
import {
  ClassSerializerInterceptor,
  Inject,
  Injectable,
  type ExecutionContext,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
import { ApplicationConfig, ModuleRef, ModulesContainer, Reflector } from '@nestjs/core';
import { Subject } from 'rxjs';
import { isBytes } from '../wire/frame.js';
import { streamRoutes } from './stream-routes.js';

/** Nest's metadata key for the options of `@SerializeOptions()`. */
const SERIALIZE_OPTIONS = 'class_serializer:options';

/** Applies `ClassSerializerInterceptor` to one value. */
export type ToPlain = (data: unknown) => unknown;

interface Bound {
  readonly type: Type<NestInterceptor>;
  readonly instance?: NestInterceptor;
}

/** Finds the interceptors that the app has bound around stream routes. */
@Injectable()
export class RouteInterceptors {
  constructor(
    @Inject(ApplicationConfig) private readonly config: ApplicationConfig,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
  ) {}

  /** Serializes what a route sends; `undefined` if no serializer is bound. */
  toPlain(context: ExecutionContext): Promise<ToPlain> | undefined {
    const bound = this.around(context.getClass(), context.getHandler()).filter(isSerializer);
    return bound.length === 0 ? undefined : this.composed(bound, context);
  }

  /**
   * As `toPlain()`, for hub events. They are serialized when they are published, because their
   * classes are known only then. Uses the global interceptor, or one without options if only
   * streams have one.
   */
  hubToPlain(): Promise<ToPlain> | undefined {
    const global = this.global().filter(isSerializer);
    const isUsed = this.aroundStreams().some(isSerializer);
    const withoutOptions: Bound = { type: ClassSerializerInterceptor };
    const bound = global.length === 0 && isUsed ? [withoutOptions] : global;
    const context = {
      getType: () => 'http',
      getHandler: () => RouteInterceptors,
      getClass: () => RouteInterceptors,
    };
    return bound.length === 0
      ? undefined
      : this.composed(bound, context as never as ExecutionContext);
  }

  hasSerializeOptions(context: ExecutionContext): boolean {
    return [context.getHandler(), context.getClass()].some((target) =>
      Reflect.hasMetadata(SERIALIZE_OPTIONS, target),
    );
  }

  /** Names the interceptors that would see each event with `@Sse()`. */
  namesAroundStreams(except: Type<NestInterceptor>): string[] {
    const others = this.aroundStreams().filter(
      (bound) => !isSerializer(bound) && bound.type !== except,
    );
    return [...new Set(others.map(({ type }) => type.name))];
  }

  private aroundStreams(): Bound[] {
    const routes = streamRoutes(this.modules);
    return routes.flatMap(({ controller, handler }) => this.around(controller, handler));
  }

  /** Outermost first. */
  private around(controller: object, handler: object): Bound[] {
    const own = [controller, handler].flatMap((target) => {
      const bound: unknown = Reflect.getMetadata(INTERCEPTORS_METADATA, target);
      return (bound as (NestInterceptor | Type<NestInterceptor>)[] | undefined) ?? [];
    });
    return [...this.global(), ...own.map(toBound)];
  }

  private global(): Bound[] {
    const perRequest = this.config.getGlobalRequestInterceptors();
    return [
      ...this.config.getGlobalInterceptors().map(toBound),
      ...perRequest.map(({ metatype }) => ({ type: metatype as Type<NestInterceptor> })),
    ];
  }

  /** The innermost interceptor sees a response first. */
  private async composed(bound: readonly Bound[], context: ExecutionContext): Promise<ToPlain> {
    const steps = await Promise.all(
      [...bound].reverse().map((one) => asFunction(this.instanceOf(one), context)),
    );
    return (data) =>
      isPlainAlready(data) ? data : steps.reduce<unknown>((plain, step) => step(plain), data);
  }

  private instanceOf({ type, instance }: Bound): NestInterceptor {
    if (instance !== undefined) return instance;
    try {
      return this.moduleRef.get<NestInterceptor>(type, { strict: false });
    } catch {
      // Request-scoped, so there is no instance to look up.
      return new (type as new (reflector: Reflector) => NestInterceptor)(new Reflector());
    }
  }
}

/** Uses only the public method, so that a subclass in the app works too. */
async function asFunction(interceptor: NestInterceptor, context: ExecutionContext) {
  const values = new Subject<unknown>();
  const results = await interceptor.intercept(context, { handle: () => values });
  return (data: unknown): unknown => {
    let plain: unknown;
    let failure: { readonly error: unknown } | undefined;
    const subscription = results.subscribe({
      next: (value: unknown) => (plain = value),
      error: (error: unknown) => (failure = { error }),
    });
    values.next(data);
    subscription.unsubscribe();
    if (failure !== undefined) throw failure.error;
    return plain;
  };
}

function isPlainAlready(data: unknown): boolean {
  return typeof data !== 'object' || data === null || isBytes(data) || data instanceof Blob;
}

function toBound(bound: NestInterceptor | Type<NestInterceptor>): Bound {
  if (typeof bound === 'function') return { type: bound };
  return { type: bound.constructor as Type<NestInterceptor>, instance: bound };
}

function isSerializer({ type }: Bound): boolean {
  return (
    type === ClassSerializerInterceptor || type.prototype instanceof ClassSerializerInterceptor
  );
}
