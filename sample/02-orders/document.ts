import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { withSseStreams } from 'nestjs-eventstream/swagger';

/** OpenAPI 3.0, which generators of clients read best. The contract describes the stream. */
export function orderDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder().setTitle('Orders').build();
  return withSseStreams(SwaggerModule.createDocument(app, config));
}

/**
 * `GET /openapi.json`. Without the page of Swagger, which this app's content security policy would
 * not let run.
 */
export function serveDocument(app: INestApplication): void {
  SwaggerModule.setup('', app, () => orderDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    ui: false,
  });
}
